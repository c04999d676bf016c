from microgpt.ui.train.controls import PASTED, RUN
from tests.ui.pages import TRAIN, open_page


def test_the_link_holds_the_settings_and_not_the_text(app):
    app.query_params |= {"train_size": "Small", "train_steps_2": "50"}
    open_page(app, TRAIN)
    app.text_area(PASTED.key).set_value("ba do\n" * 2000).run()
    assert app.number_input("train_steps_2").value == 50
    assert app.segmented_control("train_size").value == "Small"
    assert app.query_params["train_steps_2"] and PASTED.key not in app.query_params
    assert RUN.key not in app.query_params
