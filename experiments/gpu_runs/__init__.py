"""The runs that need a GPU, as data, in order of worth. Their command is __main__.py.

None of these settings was ever measured on a GPU: CHOICES and VARIATIONS are there to be compared.
"""

Settings = dict[str, object]

# The original's recipe, for which a GPU has a precision of its own.
SEED: Settings = {"precision": "bfloat16"}
# The more steps, the more a model learns by heart, and the more dropout it needs against that.
CHOICES: list[Settings] = [
    {"steps": 2500, "dropout": 0.3},
    {"steps": 4000, "dropout": 0.4},
    {"steps": 1500, "dropout": 0.2},
    {"steps": 2500, "dropout": 0.4},
    {"steps": 1500, "dropout": 0.3},
    {"steps": 4000, "dropout": 0.3},
    {"steps": 6000, "dropout": 0.5},
]
# Then the best of those, with one thing changed.
VARIATIONS: list[Settings] = [
    {"weight_decay": 0.3},
    {"muon_learning_rate": 0.01},
    {"decay_fraction": 1.0},
]
# What these have in common: few estimates, since only the loss at the end counts.
CHOOSING: Settings = {"eval_interval": 1000, "eval_batches": 20}
# The seeds of the recipe that is chosen.
SEEDS = (1337, 1338, 1339, 1340, 1341)
# Short runs, estimated often, to see how soon the original's validation loss is reached.
TIMED: list[Settings] = [
    {"steps": 1000, "dropout": 0.15, "ema_decay": 0.97, "eval_interval": 50},
    {"steps": 700, "dropout": 0.1, "ema_decay": 0.97, "eval_interval": 50},
    {"steps": 1400, "dropout": 0.2, "ema_decay": 0.97, "eval_interval": 50},
]
