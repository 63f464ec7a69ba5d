"""The best parameters so far by the validation set, and when they have been so for too long (early stopping)."""

from reference.layers import Params


class Best:
    """monitor "loss" or "accuracy"; over after `patience` epochs in a row without a gain of more than min_delta."""

    def __init__(self, monitor: str = "loss", patience: int = 10, min_delta: float = 0.0) -> None:
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta
        self.value = float("inf")  # the lowest so far of the loss, or of minus the accuracy
        self.waited = 0
        self.params: Params = {}

    def see(self, history: dict[str, list[float]], params: Params) -> None:
        loss, accuracy = history["val_loss_history"][-1], history["val_acc_history"][-1]
        value = loss if self.monitor == "loss" else -accuracy
        self.waited += 1
        if value < self.value - self.min_delta:
            self.value, self.waited = value, 0
            self.params = {name: w.copy() for name, w in params.items()}

    @property
    def over(self) -> bool:
        return self.waited >= self.patience
