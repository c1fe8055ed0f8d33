"""What runs when somebody loads a registered model by mlflow.pyfunc.load_model: MLflow, numpy and magic, no more.

A copy of this file, and of the package magic, is a part of every registered model. Nothing here imports this file;
`magic poster` reads a model's weights and settings and runs none of it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from numpy import ndarray

try:
    from magic.checks import require
    from magic.hyperparameters import MAX_TEMPLATES
    from magic.networks.packed import Packed, unpack_generator
    from magic.pixels import picture_of, to_uint8
    from magic.precision import DTYPES
    from magic.scene.content import Content
    from magic.scene.memory import MemorySet, PictureList, Template, draw_templates
    from magic.scene.renderer import TileRenderer
    from magic.scene.scene import Scene, plan_canvas
except ImportError as error:
    raise ImportError(
        f"expected the package magic that lies in the model's folder, got: {error}; "
        "load the model in a process that has not imported another package of that name"
    ) from error

DEFAULTS = {
    "num_templates": 0,
    "seed": 0,
    "mirror": True,
    "rotate": False,
    "width": 0,
    "height": 0,
    "precision": "fp32",
}
"""Parameters of predict. The model's signature says the same, and MLflow fills in those left out from there."""
MAX_PX = 100_000_000
"""Of a picture: one pass over more fits into no memory."""
LARGEST = {"num_templates": MAX_TEMPLATES, "seed": 2**63 - 1, "width": MAX_PX, "height": MAX_PX}


class CollageModel(PythonModel):
    """Paints one picture in one pass."""

    def load_context(self, context: Any) -> None:
        """Read the weights.

        Raises:
            ValueError: if they are not those that were registered.
        """
        config, weights = (Path(context.artifacts[name]) for name in ("config", "weights"))
        packed = Packed(config.read_text(), weights.read_bytes())
        wanted = context.model_config["digest"]
        require(packed.digest == wanted, f"the model with SHA-256 {wanted}", packed.digest, "restore it")
        self.generator = unpack_generator(packed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def] # MLflow warns of all hints
        """Paint the content with pieces of the templates, as `magic poster --mode whole --tone keep` does.

        Args:
            context: MLflow's.
            model_input: "templates", uint8 [K h w 3], and for a guided model "content", uint8 [H W 3]. Templates lie
                with their upper left corners on the poster's and are mirrored beyond their edges.
            params: num_templates: if above 0, templates are style pictures, of which so many templates are drawn by
                seed, mirror and rotate. width: of the result in pixels, 0: the content's own. height: the same for
                unguided models; 0: the templates'. precision: fp32, bf16 or fp16.

        Returns:
            "output" and "collage", uint8 [H W 3], and "labels", uint16 [H W]: which template is where.
        """
        asked = DEFAULTS | (params or {})
        _check(model_input, asked, guided=self.generator.config.guided)
        scene = self._scene(model_input.get("content"), model_input["templates"], asked)
        made = TileRenderer(self.generator, scene, self.device, asked["precision"]).whole()
        rows, columns = scene.canvas.poster.slices
        painted = {"output": made.image[0], "collage": made.collage[0]}
        pictures = {name: picture_of(to_uint8(planes[:, rows, columns])) for name, planes in painted.items()}
        labels = made.weights[0, :, rows, columns].argmax(0).to(torch.uint16)
        return pictures | {"labels": labels.cpu().numpy()}

    def _scene(self, content: ndarray | None, pictures: ndarray, asked: dict[str, Any]) -> Scene:
        """What is to be painted."""
        height, width = (pictures if content is None else content[None]).shape[1:3]
        if content is None:
            height, width = asked["height"] or height, asked["width"] or width
        elif asked["width"]:
            height, width = max(round(height * asked["width"] / width), 1), asked["width"]
        require(height * width <= MAX_PX, f"at most {MAX_PX} pixels in one pass", (height, width), "use magic poster")
        shown = None if content is None else Content(content, height, width)
        return Scene(shown, memory_set(pictures, asked), plan_canvas(self.generator, height, width))


def _check(pictures: Any, asked: Mapping[str, Any], *, guided: bool) -> None:
    """Refuse input that cannot be painted.

    Raises:
        ValueError: for the first part that is missing, unknown, of another type or shape, or too large.
    """
    dims = {"templates": 4} | ({"content": 3} if guided else {})
    given = list(pictures) if isinstance(pictures, Mapping) else type(pictures).__name__
    require(sorted(given) == sorted(dims), f"a dictionary of {' and '.join(dims)}, no more", given, "give this")
    for name, num_dims in dims.items():
        picture = pictures[name]
        came = f"{picture.dtype} {list(picture.shape)}" if isinstance(picture, ndarray) else type(picture).__name__
        fits = isinstance(picture, ndarray) and picture.dtype == "uint8" and picture.ndim == num_dims
        fits = fits and picture.shape[-1] == 3 and picture.size > 0
        shape = "[K h w 3]" if num_dims == 4 else "[H W 3]"
        require(fits, f"{name} to be uint8 {shape}, and not empty", came, "convert it")
    require(set(asked) == set(DEFAULTS), f"no parameters but {', '.join(DEFAULTS)}", sorted(asked), "leave others out")
    for name, default in DEFAULTS.items():
        kind = type(default)
        require(type(asked[name]) is kind, f"{name} of the type {kind.__name__}", asked[name], "give such a one")
    for name, largest in LARGEST.items():
        require(0 <= asked[name] <= largest, f"{name} in 0..{largest}", asked[name], "0 is the default")
    require(
        asked["precision"] in DTYPES, f"a precision of {', '.join(DTYPES)}", asked["precision"], "fp32 is the default"
    )


def memory_set(pictures: ndarray, asked: dict[str, Any]) -> MemorySet:
    """The pictures as templates, or templates drawn from them."""
    source = PictureList(list(pictures))
    if not asked["num_templates"]:
        return MemorySet.of(source, tuple(Template(number, 0, 0) for number in range(len(pictures))))
    drawn = draw_templates(
        source, asked["num_templates"], asked["seed"], mirror=asked["mirror"], rotate=asked["rotate"]
    )
    return MemorySet.of(source, drawn)


set_model(CollageModel())
