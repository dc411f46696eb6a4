"""An engine that scores candidates with a server of the OpenAI API."""
