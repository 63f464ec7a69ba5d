"""Pictures of a training and of what was learned, as matplotlib figures.

    curves      loss and accuracy over a training
    grids       a search, and a confusion matrix: squares with numbers
    images      first-layer weights, and misclassified images
    plane       decision boundaries of points in the plane
    canvas      figures, axes, colours: what these share

Each function draws into the axes given as `ax`, in the colours of their style, or makes a figure of its own, and
returns the `matplotlib.figure.Figure`.  It is made without pyplot: no global state, no window, no display needed.
Save one with `figure.savefig("name.png")`; after `%matplotlib inline` a notebook shows it by itself.  matplotlib is an
extra, imported on first use.
"""

from fastnet.plots.curves import accuracy_curves, loss_curve
from fastnet.plots.grids import confusion_matrix, search_map
from fastnet.plots.images import misclassified, weight_tiles
from fastnet.plots.plane import decision_boundary

__all__ = [
    "accuracy_curves",
    "confusion_matrix",
    "decision_boundary",
    "loss_curve",
    "misclassified",
    "search_map",
    "weight_tiles",
]
