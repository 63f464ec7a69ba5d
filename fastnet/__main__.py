"""`python -m fastnet`: the command line without its installed script."""

import sys

from fastnet.cli import main

if __name__ == "__main__":
    sys.exit(main())
