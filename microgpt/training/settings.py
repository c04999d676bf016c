"""The settings of a training run, and which of them may change when the run is resumed."""

from collections.abc import Mapping
from dataclasses import dataclass

from microgpt.config import GPTConfig, TrainConfig, model_config
from microgpt.errors import MicroGPTError
from microgpt.formats import Document

# The settings that a resumed run may change. A change of another one would not fit the saved model
# and optimizers, the steps made so far, or the losses measured so far.
MAY_CHANGE = {
    *("dropout", "steps", "learning_rate", "muon_learning_rate", "weight_decay", "warmup_steps"),
    *("decay_fraction", "grad_clip", "precision", "log_interval", "eval_interval"),
}


class ResumeError(MicroGPTError):
    """A run cannot be resumed with these settings."""


@dataclass(frozen=True)
class RunSettings:
    """The settings of a run, which are saved with its state."""

    model: GPTConfig
    train: TrainConfig
    data_sha256: str

    @classmethod
    def of(cls, document: Document) -> "RunSettings":
        """Read the settings of a saved state. Raises FormatError, ConfigError, KeyError."""
        saved = document.values["configs"]
        return cls(
            model_config(saved["model"], document),
            TrainConfig.from_dict(saved["train"], document),
            saved["data_sha256"],
        )

    def changes(self, saved: "RunSettings") -> dict[str, str]:
        """The settings that differ from those of a saved state, as "old to new" by name."""
        before = saved.model.to_dict() | saved.train.to_dict()
        after = self.model.to_dict() | self.train.to_dict()
        return {
            name: f"{before[name]} to {value}"
            for name, value in after.items()
            if value != before[name]
        }

    def check_resumes(self, saved: "RunSettings", step: int) -> None:
        """Raise ResumeError unless a run with these settings can resume a saved state."""
        if self.data_sha256 != saved.data_sha256:
            raise ResumeError(
                "the run to resume was trained on another text; pass the same text or another --out"
            )
        changes = self.changes(saved)
        if fixed := {name: each for name, each in changes.items() if name not in MAY_CHANGE}:
            raise ResumeError(
                f"a resumed run cannot change {listed(fixed)}; keep the old value or pass another "
                "--out"
            )
        if self.train.steps < step:
            raise ResumeError(
                f"a resumed run cannot change steps from {changes['steps']}, because {step} steps "
                "have already been made"
            )


def listed(changes: Mapping[str, str]) -> str:
    """The result of RunSettings.changes as one line."""
    return ", ".join(f"{name} from {each}" for name, each in changes.items())
