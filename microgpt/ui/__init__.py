"""What the pages are made of; Streamlit is imported here, in pages/ and in app.py, nowhere else."""
