"""Alerts over real HTTP and real SMTP, to small servers on loopback that keep what they were told."""

import json
import socketserver
import threading
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from orchestration.core.alerts import Alert
from orchestration.core.errors import AlertError, SettingsError
from orchestration.resources.alerting import tell
from orchestration.settings import Settings

ALERT = Alert("run main", "Job main failed", "Run 1 of job main failed.")


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def webhook():
    class Door(BaseHTTPRequestHandler):
        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.told.append((self.path, json.loads(content)))
            self.send_response(self.server.answer)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Door)
    server.told, server.answer = [], 200
    with serving(server):
        yield server


@pytest.fixture
def mail():
    class Mail(socketserver.StreamRequestHandler):
        def handle(self):
            self._say("220 mail.test")
            while line := self.rfile.readline().decode().strip():
                self.server.said.append(line)
                match line.split()[0].upper():
                    case "EHLO":
                        self._say("250-mail.test\r\n250 AUTH PLAIN")
                    case "AUTH":
                        self._say("235 welcome" if self.server.is_open else "535 no")
                    case "DATA":
                        self._say("354 go on")
                        content = b"".join(iter(self.rfile.readline, b".\r\n"))
                        self.server.mails.append(message_from_bytes(content, policy=policy.default))
                        self._say("250 taken")
                    case "QUIT":
                        self._say("221 bye")
                        return
                    case _:
                        self._say("250 ok")

        def _say(self, text):
            self.wfile.write(f"{text}\r\n".encode())

    server = socketserver.TCPServer(("127.0.0.1", 0), Mail)
    server.said, server.mails, server.is_open = [], [], True
    with serving(server):
        yield server


def settings(**env) -> Settings:
    return Settings.from_env(env)


def test_a_webhook_gets_one_line_of_subject_and_the_text(webhook):
    tell(settings(ALERT_URL=f"http://127.0.0.1:{webhook.server_port}/T0/key"), ALERT)
    assert webhook.told == [("/T0/key", {"text": "*Job main failed*\nRun 1 of job main failed."})]


@pytest.mark.parametrize("answer", [302, 404, 500])
def test_a_webhook_that_does_not_take_it_is_an_error_that_keeps_the_address_to_itself(webhook, answer):
    webhook.answer = answer
    with pytest.raises(AlertError, match=str(answer)) as caught:
        tell(settings(ALERT_URL=f"http://127.0.0.1:{webhook.server_port}/secret"), ALERT)
    assert "secret" not in str(caught.value)


def test_a_webhook_that_is_not_there_is_an_error_that_keeps_the_address_to_itself():
    with pytest.raises(AlertError, match="could not be reached") as caught:
        tell(settings(ALERT_URL="http://127.0.0.1:9/secret"), ALERT)
    assert "secret" not in str(caught.value)


def test_an_email_goes_by_the_mail_server(mail):
    env = {"SMTP_URL": f"smtp://us%40er:pass@127.0.0.1:{mail.server_address[1]}", "REPLY_TO": "hello@shop.test"}
    tell(settings(ALERT_URL="mailto:ops@shop.test", **env), ALERT)
    [sent] = mail.mails
    assert (sent["To"], sent["From"], sent["Subject"]) == (
        "ops@shop.test",
        "hello@shop.test",
        "Pennypost: Job main failed",
    )
    assert sent.get_content().strip() == "Run 1 of job main failed."


def test_a_mail_server_that_does_not_take_it_is_an_error_that_keeps_the_password_to_itself(mail):
    mail.is_open = False
    with pytest.raises(AlertError, match="SMTP_URL") as caught:
        tell(
            settings(ALERT_URL="mailto:o@shop.test", SMTP_URL=f"smtp://u:secret@127.0.0.1:{mail.server_address[1]}"),
            ALERT,
        )
    assert "secret" not in str(caught.value) and mail.mails == []


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"ALERT_URL": "ops@shop.test"}, "ALERT_URL is no address that begins with https://"),
        ({"ALERT_URL": "mailto:ops@shop.test"}, "SMTP_URL must say"),
        ({"ALERT_URL": "mailto:ops", "SMTP_URL": "smtp://x"}, "no address, such as"),
        ({"SMTP_URL": "mail.shop.test"}, "SMTP_URL is no address that begins with smtp://"),
    ],
)
def test_a_setting_that_makes_no_sense_is_told_when_it_is_read(env, said):
    with pytest.raises(SettingsError, match=said):
        settings(**env)
