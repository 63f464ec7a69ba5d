"""The version of the distribution, read by the build and by `fastnet info`."""

__version__ = "0.1.0"
