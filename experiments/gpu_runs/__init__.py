"""The settings of the runs that need a GPU. The command that makes the runs is __main__.py."""

Settings = dict[str, object]

# Recipes to compare, as changes to the preset `gpu`. With more steps a model overfits more, and
# needs more dropout.
CHOICES: list[Settings] = [
    {"steps": 2000, "dropout": 0.3},
    {"steps": 2400, "dropout": 0.3},
    {"steps": 3000, "dropout": 0.3},
    {"steps": 2000, "dropout": 0.2, "muon_learning_rate": 0.01},
    {"steps": 2000, "dropout": 0.3, "muon_learning_rate": 0.01},
    {"steps": 2500, "dropout": 0.25, "muon_learning_rate": 0.01},
    {"steps": 3000, "dropout": 0.3, "muon_learning_rate": 0.01},
    {"steps": 3000, "dropout": 0.4, "muon_learning_rate": 0.01},
]
# Settings of all these runs. The loss is estimated rarely, because only the last one is compared.
CHOOSING: Settings = {"eval_interval": 1000}
# Seeds for the runs of the chosen recipe.
SEEDS = (1337, 1338, 1339, 1340, 1341)
# The original's recipe, in the precision that is fast on a GPU.
ORIGINAL_RECIPE: Settings = {"precision": "bfloat16"}
# Short runs with frequent loss estimates, to measure the time to the original's validation loss.
TIMED: list[Settings] = [
    {"steps": 1000, "dropout": 0.15, "ema_decay": 0.97, "eval_interval": 50},
    {"steps": 700, "dropout": 0.1, "ema_decay": 0.97, "eval_interval": 50},
    {"steps": 1400, "dropout": 0.2, "ema_decay": 0.97, "eval_interval": 50},
]
