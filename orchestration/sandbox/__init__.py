"""A stand-in for Mailchimp: its Marketing API as far as Pennypost calls it, and an outbox to look at.

    gateway ──HTTP──► /3.0/…      answers and errors as Mailchimp's own (app, lists, members, segments, campaigns, reports)
                        │
                        ▼
                     one SQLite file, survives restarts (store)
                        │ send: every subscribed member of the campaign's segment (sending)
                        ▼
    browser ──HTTP──► /           campaigns, and each email as its reader sees it (outbox, merge_tags)
    test    ──HTTP──► /sandbox    which calls fail and how, what was called, who got what (control, faults)

Run it: `python -m orchestration.sandbox`. It listens on 127.0.0.1 only and takes any API key that is not empty.

Addresses steer it, as test card numbers do. What the part before the @ begins with decides:

    bounce…        the send hard-bounces; the member becomes cleaned
    softbounce…    the send soft-bounces; the member stays as it was
    complaint…     gets the email, then marks it as spam: unsubscribed, reason "abuse"
    unsubscribe…   gets the email, then unsubscribes through its link
    fake…          is refused when it is first added ("looks fake or invalid, please enter a real email address.")
    compliance…    can't be set to subscribed ("Member In Compliance State")

A person who bounced, complained or unsubscribed is in a compliance state from then on, as at Mailchimp: no call can set
them to subscribed. Somebody unsubscribed by a call can be resubscribed by a call.

Calls can be made to fail, over HTTP and by chance, and it tells what it was asked and who got how many emails: control.py.
"""
