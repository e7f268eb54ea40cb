"""Telling a person: a webhook (`ALERT_URL=https://…`, as chat programs take it) or an email (`ALERT_URL=mailto:…`)."""

import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import requests

from orchestration.core.alerts import Alert
from orchestration.core.errors import AlertError
from orchestration.settings import Settings

SECONDS = 20


def tell(settings: Settings, alert: Alert) -> None:
    """Tell whom ALERT_URL names. Raises AlertError where that failed."""
    if settings.alert_url is None:
        raise AlertError("ALERT_URL is not set: there is nobody to tell.")
    if settings.alert_url.startswith("mailto:"):
        _email(settings, settings.alert_url.removeprefix("mailto:"), alert)
    else:
        _post(settings.alert_url, alert)


def _post(url: str, alert: Alert) -> None:
    try:
        answer = requests.post(
            url, json={"text": f"*{alert.subject}*\n{alert.text}"}, timeout=SECONDS, allow_redirects=False
        )
    except requests.RequestException as error:
        # the error's own words hold the address, which for chat programs is the key
        raise AlertError(f"The webhook of ALERT_URL could not be reached ({type(error).__name__}).") from None
    if answer.status_code >= 300:
        raise AlertError(f"The webhook of ALERT_URL answered {answer.status_code}.")


def _email(settings: Settings, to: str, alert: Alert) -> None:
    message = EmailMessage()
    message["From"], message["To"] = settings.reply_to, to
    message["Subject"] = f"Pennypost: {alert.subject}"
    message.set_content(alert.text)
    server = urlsplit(settings.smtp_url or "")
    is_tls = server.scheme == "smtps"
    try:
        with _connected(server.hostname or "", server.port or (465 if is_tls else 587), is_tls) as smtp:
            if not is_tls and smtp.has_extn("starttls"):
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo()
            if server.username:
                smtp.login(unquote(server.username), unquote(server.password or ""))
            smtp.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise AlertError(f"The mail server of SMTP_URL did not take the alert ({type(error).__name__}).") from None


def _connected(host: str, port: int, is_tls: bool) -> smtplib.SMTP:
    if is_tls:
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=ssl.create_default_context())
    else:
        smtp = smtplib.SMTP(host, port, timeout=SECONDS)
    smtp.ehlo()
    return smtp
