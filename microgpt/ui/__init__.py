"""The parts of the pages. Only this package, pages/ and app.py import Streamlit."""
