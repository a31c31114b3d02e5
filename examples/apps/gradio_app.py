"""A Gradio demo: upload an image, see probabilities and where the network looked.

    GRADIO_ANALYTICS_ENABLED=False python examples/apps/gradio_app.py classifier.melanet

`melanet serve` has a richer page of its own; this one is a starting point for yours.
"""

import sys

import gradio as gr

from melanet.classifier import load_classifier

model = load_classifier(sys.argv[1])


def predict(image):
    """Return label -> probability, and the image with its heat map."""
    _, overlays = model.explain(image[None], return_overlay=True)
    probabilities = model.predict_proba(image[None])[0].tolist()
    return dict(zip(map(str, model.classes_.tolist()), probabilities)), overlays[0]


demo = gr.Interface(
    predict,
    gr.Image(label="Image"),
    [gr.Label(label="Probabilities"), gr.Image(label="Where the network looked (Grad-CAM)")],
    title="MelaNet",
    description="**Not for diagnosis.** Nothing on this page is a medical finding.",
    flagging_mode="never",
)

if __name__ == "__main__":
    # System fonts, because those of the themes are loaded from another server.
    demo.launch(theme=gr.themes.Base(font="sans-serif", font_mono="monospace"))
