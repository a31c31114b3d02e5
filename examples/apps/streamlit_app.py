"""A Streamlit page: upload an image, see probabilities and where the network looked.

    streamlit run examples/apps/streamlit_app.py --server.address 127.0.0.1 \
        --browser.gatherUsageStats false -- classifier.melanet

`melanet serve` has a richer page of its own; this one is a starting point for yours.
"""

import sys

import numpy as np
import streamlit as st

from melanet.classifier import load_classifier
from melanet.images import displayed_size, open_picture, read_picture

st.title("MelaNet")
st.warning("Not for diagnosis. Nothing on this page is a medical finding.")
model = st.cache_resource(load_classifier)(sys.argv[1])
if file := st.file_uploader("Image", type=["jpg", "jpeg", "png"]):
    with open_picture(file) as opened:
        size = displayed_size(opened)
    X = np.asarray(read_picture(file, size))[None]
    for label, p in zip(model.classes_.tolist(), model.predict_proba(X)[0].tolist()):
        st.progress(p, f"{label}: {p:.1%}")
    _, overlays = model.explain(X, return_overlay=True)
    st.image(overlays[0], caption="Where the network looked (Grad-CAM)")
