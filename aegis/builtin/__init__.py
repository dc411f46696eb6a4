"""Plugins that ship with the host. They use nothing that another plugin could not use."""
