"""Optuna chooses rate, strength and size; train's callback prunes nets that lag behind.  Needs optuna."""

import optuna

import fastnet
from fastnet.data import spiral, split_validation

rows = split_validation(*spiral(points_per_class=200), 120, seed=0)  # X, y, X_val, y_val


def objective(trial: optuna.Trial) -> float:
    def prune(progress: fastnet.Progress) -> None:
        if progress.iteration % 20 == 0:  # an epoch: 480 rows in batches of 24
            trial.report(progress.val_accuracy, progress.epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

    net = fastnet.TwoLayerNet(2, trial.suggest_int("hidden_size", 20, 200, log=True), 3, std=0.1, seed=0)
    ranges = {"learning_rate": (1e-2, 1.0), "reg": (1e-6, 1e-1)}
    found = {name: trial.suggest_float(name, *bounds, log=True) for name, bounds in ranges.items()}
    return net.train(*rows, **found, num_iters=600, batch_size=24, callback=prune)["val_accuracy"]


sampler = optuna.samplers.TPESampler(seed=0)
pruner = optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=10)
study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
study.optimize(objective, n_trials=30)
