"""Jobs: work that a child process does, told by a JSON file and answered in lines of JSON.

Import from the modules; nothing here is loaded before it is used.
"""
