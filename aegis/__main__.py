"""``python -m aegis``: the command line, where its script is not on the path."""

import sys

from aegis.cli.main import main

main(sys.argv[1:])
