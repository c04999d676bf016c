"""Exit with code 0 if the app of this container answers, and with 1 if it does not."""

import os
import sys
import urllib.request

base = os.environ.get("STREAMLIT_SERVER_BASE_URL_PATH", "").strip("/")
url = "http://127.0.0.1:8501" + (base and f"/{base}") + "/_stcore/health"
try:
    urllib.request.urlopen(url, timeout=10).close()
except OSError as error:
    sys.exit(str(error))
