"""The manual, as Sphinx makes it: `sphinx-build --fail-on-warning docs site`.  Code and pictures: docs/run.py."""

import fastnet

project = "fastnet"
author = "the authors of fastnet"
version = release = fastnet.__version__
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc"]
exclude_patterns = ["examples"]
default_role = "literal"  # of `text` in docstrings

html_theme = "furo"
html_title = f"fastnet {release}"
html_static_path = ["static"]
html_css_files = ["side-by-side.css"]
html_copy_source = False
html_show_copyright = False

myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 3

smartquotes = False  # "he" is code

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say more: shapes and units
numpydoc_show_class_members = False  # autodoc shows them
