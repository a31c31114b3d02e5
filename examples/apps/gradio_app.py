"""A demo by Gradio: upload a picture, see probabilities and where the network looked.

    GRADIO_ANALYTICS_ENABLED=False python examples/apps/gradio_app.py classifier.melanet

`melanet serve` has a page of its own, with more; this one is a start for yours.
"""

import sys

import gradio as gr

from melanet import MelaNet

model = MelaNet.load(sys.argv[1])


def predict(picture):
    """Return label -> probability, and the picture with its heat map."""
    _, overlays = model.explain(picture[None], return_overlay=True)
    probabilities = model.predict_proba(picture[None])[0].tolist()
    return dict(zip(map(str, model.classes_.tolist()), probabilities)), overlays[0]


demo = gr.Interface(
    predict,
    gr.Image(label="Picture"),
    [gr.Label(label="Probabilities"), gr.Image(label="Where the network looked (Grad-CAM)")],
    title="MelaNet",
    description="**Not for diagnosis.** Nothing on this page is a medical finding.",
    flagging_mode="never",
)

if __name__ == "__main__":
    # Fonts of the system: the themes' own are fetched from elsewhere.
    demo.launch(theme=gr.themes.Base(font="sans-serif", font_mono="monospace"))
