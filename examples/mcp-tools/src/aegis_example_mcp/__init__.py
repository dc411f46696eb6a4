"""Tools of MCP servers, pinned by the digest of what they say they are."""
