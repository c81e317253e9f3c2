"""The training loop: Qwen3 and SigLIP over packs. Needs ``packkit[train]``."""

from packkit.base.errors import MissingExtraError

try:
    import transformers  # noqa: F401
except ImportError as error:
    raise MissingExtraError("transformers", "train") from error

from packkit.training.model import ModelConfig, PackModel
from packkit.training.optimizer import OptimizerConfig
from packkit.training.recipe import DataConfig, Recipe, RunConfig, read_recipe
from packkit.training.trainer import Trainer, train

__all__ = [
    "DataConfig",
    "ModelConfig",
    "OptimizerConfig",
    "PackModel",
    "Recipe",
    "RunConfig",
    "Trainer",
    "read_recipe",
    "train",
]
