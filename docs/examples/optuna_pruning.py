"""Optuna chooses learning rate, strength and size; train's callback prunes nets that lag behind.  Needs optuna."""

import optuna

import fastnet
from fastnet import data

X, y = data.spiral(points_per_class=200, seed=0)
ROWS = data.split_validation(X, y, 120, seed=0)


def objective(trial: optuna.Trial) -> float:
    net = fastnet.TwoLayerNet(2, trial.suggest_int("hidden_size", 20, 200, log=True), 3, std=0.1, seed=0)

    def prune(progress: fastnet.Progress) -> None:
        if progress.val_accuracy is not None and progress.iteration % 20 == 0:  # an epoch of 480 rows has ended
            trial.report(progress.val_accuracy, progress.epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

    rate, reg = (
        trial.suggest_float("learning_rate", 1e-2, 1.0, log=True),
        trial.suggest_float("reg", 1e-6, 1e-1, log=True),
    )
    settings = {"learning_rate": rate, "learning_rate_decay": 1.0, "reg": reg, "num_iters": 600, "batch_size": 24}
    return net.train(*ROWS, **settings, threads=1, callback=prune)["val_acc_history"][-1]


pruner = optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=10)
study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0), pruner=pruner)
study.optimize(objective, n_trials=30, n_jobs=2)  # two nets side by side, one worker each
