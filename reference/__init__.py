"""The networks of CS231n's case study and two-layer lab in plain NumPy float64, formula by formula.

In lecture order: `layers` (formulas and gradients), `models` (the two networks, their training loop),
`optimizers`, `schedules`, `stopping` (early stopping), `data` (spiral, mini-batches), `search`.
Written to be read, and to check faster code against.
"""

from reference.data import draw_indices, spiral
from reference.layers import affine_backward, affine_forward, relu_backward, relu_forward, softmax_loss
from reference.models import Classifier, SoftmaxClassifier, TwoLayerNet
from reference.optimizers import SGD, Adam, Momentum, Nesterov
from reference.schedules import cosine, epoch_decay, linear, step_decay, warm_up
from reference.search import grid_search
from reference.stopping import Best

__all__ = ["SGD", "Adam", "Best", "Classifier", "Momentum", "Nesterov", "SoftmaxClassifier", "TwoLayerNet"]
__all__ += ["affine_backward", "affine_forward", "draw_indices", "grid_search"]
__all__ += ["cosine", "epoch_decay", "linear", "step_decay", "warm_up"]
__all__ += ["relu_backward", "relu_forward", "softmax_loss", "spiral"]
