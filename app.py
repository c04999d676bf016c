"""microGPT's web app. Run: streamlit run app.py"""

from pathlib import Path

import streamlit as st
from streamlit import runtime

ROOT = Path(__file__).parent
ASSETS = ROOT / "assets"

if runtime.exists():  # for each visitor and after each click
    from microgpt.ui.frame import LAYOUT, page_links, page_title, start_session, theme_style
    from microgpt.ui.memory import freeze_loaded_objects

    st.set_page_config(page_icon=ASSETS / "icon.svg", layout="wide")
    st.logo(str(ASSETS / "logo.svg"), size="large", icon_image=str(ASSETS / "icon.svg"))
    # The server's page has them already, unless its address is that of no page.
    st.html(theme_style())
    st.html(LAYOUT)
    pages = [
        st.Page("pages/generate.py", title="Generate", icon=":material/edit_note:", default=True),
        st.Page("pages/attention.py", title="Attention", icon=":material/grid_view:"),
        st.Page("pages/inside.py", title="Inside", icon=":material/account_tree:"),
        st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
        st.Page(
            "pages/cross_attention.py", title="Cross-attention", icon=":material/compare_arrows:"
        ),
        st.Page("pages/loss_record.py", title="Loss record", icon=":material/show_chart:"),
    ]
    page = st.navigation(pages)
    page_links(pages)
    start_session()
    page_title(page.title)  # before the page's script, which loads PyTorch
    page.run()
    freeze_loaded_objects(page.title)
else:  # once, when the server starts
    from microgpt.ui.server import MIDDLEWARE, lifespan, routes

    paths = ["", *(path.stem for path in (ROOT / "pages").glob("*.py"))]
    app = st.App(
        __file__,
        routes=routes(paths, st.get_option("server.baseUrlPath")),
        middleware=MIDDLEWARE,
        lifespan=lifespan,
    )
