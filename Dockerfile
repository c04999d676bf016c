# Build the image, and run it with a file system that cannot be written to:
#   docker build -t microgpt .
#   docker run --read-only --tmpfs /tmp:exec --publish 8501:8501 microgpt
FROM python:3.12-slim

# The fastest backend of the engine is C code, compiled when the app starts.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY requirements.txt .
# The CPU build of torch, which is smaller by several GB.
RUN pip install --no-cache-dir "$(grep ^torch== requirements.txt)" \
    --index-url https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
# The user of the app cannot write here, so Python would compile these modules at every start.
RUN python -m compileall -q app.py pages microgpt

# Hugging Face Spaces also runs the container as user 1000.
RUN useradd --uid 1000 --create-home app
USER app
# Downloaded checkpoints and the compiled backend; /tmp is the only folder that is written to.
ENV MICROGPT_CACHE=/tmp/microgpt HF_HOME=/tmp/huggingface
EXPOSE 8501
HEALTHCHECK --start-period=60s CMD ["python", "docs/hosting/health.py"]
CMD ["streamlit", "run", "app.py", "--server.headless=true", "--server.address=0.0.0.0", "--server.port=8501"]
