"""The loss curve of a training as a PNG, drawn without pyplot, so that no global state is touched."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def loss_curve(records: Sequence[Mapping[str, Any]]) -> bytes:
    """PNG of training and validation loss (nats a token) over tokens seen, from the records of loss.jsonl."""
    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([r["tokens"] for r in records], [r["loss"] for r in records], label="training", linewidth=1.5)
    validated = [r for r in records if "validation_loss" in r]
    if validated:
        axes.plot(
            [r["tokens"] for r in validated],
            [r["validation_loss"] for r in validated],
            label="validation",
            marker="o",
            markersize=4,
        )
    axes.set_xlabel("tokens seen")
    axes.set_ylabel("loss (nats per token)")
    axes.grid(alpha=0.3)
    axes.legend()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    return png.getvalue()
