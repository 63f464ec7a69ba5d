"""The two estimators: their arguments, as scikit-learn wants them spelled out, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastnet import checks
from fastnet.schedules import Schedule
from fastnet.sklearn.fitting import Estimator
from fastnet.training import Progress


class SoftmaxRegressionClassifier(Estimator):
    """Softmax regression: MLPClassifier without a hidden layer (`hidden_layer_sizes=()`), trained by fastnet.

    All arguments but the last five are MLPClassifier's, with its meanings and its defaults, but for learning_rate_init.

    Parameters
    ----------
    solver : "adam" (default) or "sgd", with momentum; "lbfgs" is refused
    alpha : float, default 1e-4
        Strength of the L2 term, divided by the weight of the batch.
    batch_size : int, or "auto": 200, at most all rows
    learning_rate : "constant" (default), "invscaling" or "adaptive", which act on "sgd" alone
        Beyond these "linear" (after a warm-up of a twentieth, to zero at max_iter), "cosine", one of fastnet.schedules,
        or a function from iteration numbers to rates.
    learning_rate_init : float, default 1e-2
        1e-3, MLPClassifier's, leaves this convex problem half solved after 200 epochs of a few steps.
    power_t : float, default 0.5
        Exponent of "invscaling".
    max_iter : int, default 200
        Epochs at most; a ConvergenceWarning says when they were not enough, but of a schedule, which ends there.
    shuffle : bool, default True
        Draw another order for each epoch.
    random_state : int, RandomState or None
        The same one gives the initial weights and batches of MLPClassifier.
    tol, n_iter_no_change : default 1e-4 and 10; np.inf of the latter is never to stop
        Stop when neither loss nor, with early_stopping, validation score has gained tol in more than so many epochs in
        a row.
    verbose : bool, default False
        Write the loss of each epoch to standard output.
    warm_start : bool, default False
        Let fit go on from where the last one ended.
    momentum, nesterovs_momentum : of "sgd", default 0.9 and True
    early_stopping, validation_fraction : default False and 0.1
        Stop by the score on a validation set, and keep the best weights.  The set is X_val, else that fraction of the
        rows, stratified.
    beta_1, beta_2, epsilon : of "adam", default 0.9, 0.999, 1e-8
    scale : "standard" (default), "mean" or None
        Features less their mean, divided by their deviation; less their mean; or as they are, as MLPClassifier does:
        for a large learning_rate_init that was chosen so, as with pixels from 0 to 1.
        Part of the estimator, made while batches are gathered: no copy of the data is.
    class_weight : dictionary from labels to weights, "balanced", or None (default)
    callback : function, or None
        Called with a fastnet.Progress at the end of each epoch at least; ends training by returning True.
    matmul_precision : "highest" (default), or of float32 and uint8 rows "high" or "medium", as fastnet.TwoLayerNet's
    threads : int; default as many as the work is worth, told by the clock, at most OMP_NUM_THREADS
        Workers.  Their number changes no bit of the result.

    Attributes
    ----------
    validation_loss_curve_ : list of floats, or None without validation set
        Its loss after each epoch, without L2.
    network_ : the fastnet model, with its normalisation
        Of two classes the first scores 0: a logistic output.

    Notes
    -----
    The other attributes are MLPClassifier's: `classes_`, `loss_`, `best_loss_`, `loss_curve_`, `validation_scores_`,
    `best_validation_score_`, `n_iter_`, `t_`, `coefs_`, `intercepts_`, `n_layers_`, `n_outputs_`, `out_activation_`,
    `n_features_in_`, `feature_names_in_`.

    `partial_fit` goes on for an epoch of the rows it is given, with any learning rate but a schedule.

    X of float64 is trained on in float64; of float32 and uint8 in float32, without a copy.  Other numbers become
    float64.
    """

    def __init__(
        self,
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Schedule = "constant",
        learning_rate_init: float = 0.01,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        scale: str | None = "standard",
        class_weight: Mapping[Any, float] | str | None = None,
        callback: Callable[[Progress], object] | None = None,
        matmul_precision: str = "highest",
        threads: int | None = None,
    ) -> None:
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.scale = scale
        self.class_weight = class_weight
        self.callback = callback
        self.matmul_precision = matmul_precision
        self.threads = threads

    def _hidden(self) -> tuple[int, ...]:
        return ()


class TwoLayerClassifier(SoftmaxRegressionClassifier):
    """A network of one hidden ReLU layer: MLPClassifier's arguments, defaults and attributes, trained by fastnet.

    Parameters
    ----------
    hidden_layer_sizes : (units,) or int, default 100; two hidden layers are refused
    activation : "relu"; others are refused
    learning_rate_init : float, default 1e-3

    Notes
    -----
    The other arguments and the attributes are those of SoftmaxRegressionClassifier.
    """

    def __init__(
        self,
        hidden_layer_sizes: int | tuple[int, ...] = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Schedule = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        scale: str | None = "standard",
        class_weight: Mapping[Any, float] | str | None = None,
        callback: Callable[[Progress], object] | None = None,
        matmul_precision: str = "highest",
        threads: int | None = None,
    ) -> None:
        super().__init__(
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            scale=scale,
            class_weight=class_weight,
            callback=callback,
            matmul_precision=matmul_precision,
            threads=threads,
        )
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation

    def _hidden(self) -> tuple[int, ...]:
        checks.one_of("activation", self.activation, ("relu",), "'relu': fastnet has no other")
        sizes: Any = self.hidden_layer_sizes
        try:
            units = tuple(sizes)
        except TypeError:  # a number
            units = (sizes,)
        if len(units) != 1:
            raise ValueError(
                f"hidden_layer_sizes is {sizes!r}, expected one hidden layer, as (100,): fastnet has no deeper "
                "network, and SoftmaxRegressionClassifier for none"
            )
        return (checks.whole("hidden_layer_sizes", units[0], 1),)
