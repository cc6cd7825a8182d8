"""What a mail's files say, from the mailbox to the event: text and PDFs of text are told, all else by its name, and no
file stops the mails behind it.
"""

import uuid
from email.message import EmailMessage

from mailing import Mailbox, mail, pollers
from pdfs import pdf
from procs import give_file


def with_files(*files):
    """(name, type, bytes) each."""
    made = EmailMessage()
    made["From"] = "Ann <ann@customer.example>"
    made["To"] = "desk@clinic.example"
    made["Subject"] = "papers"
    made["Message-ID"] = f"<{uuid.uuid4()}@customer.example>"
    made.set_content("see the papers")
    for name, kind, content in files:
        main, sub = kind.split("/")
        made.add_attachment(content, maintype=main, subtype=sub, filename=name)
    return made.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_text_and_pdfs_are_told(desk):
    pollers(desk)
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    mailbox.deliver(with_files(("invoice.pdf", "application/pdf", pdf("Invoice 42 of March")),
                               ("list.csv", "text/csv", "tooth;price\r\n21;40 €\r\n".encode()),
                               ("scan.pdf", "application/pdf", pdf("")),
                               ("broken.pdf", "application/pdf", b"%PDF-1.4\n" + bytes(range(256)) * 100),
                               ("photo.png", "image/png", bytes(range(256)))),
                    mail("behind", "text"))
    event, behind = mailbox.wait_events(2)
    said = {file["name"]: file.get("text", "") for file in event.value["files"]}
    assert said == {"invoice.pdf": "Invoice 42 of March", "list.csv": "tooth;price\n21;40 €", "scan.pdf": "",
                    "broken.pdf": "", "photo.png": ""}, said
    assert all(file["stored"] for file in event.value["files"])
    assert behind.value["subject"] == "behind"
    mailbox.remove()


def test_a_program_that_hangs(desk):
    """The file is told by its name, and the mails go on."""
    script = give_file(desk.folder / "hangs", "#!/bin/sh\nexec sleep 600\n")
    script.chmod(0o700)
    for name in [name for name in desk.services if name.startswith("mailpoller")]:
        desk.services.pop(name).stop()
    pollers(desk, pdf_program=str(script))
    mailbox = Mailbox(desk)
    mailbox.wait_cursor(0)
    mailbox.deliver(with_files(("a.pdf", "application/pdf", pdf("words"))), mail("behind", "text"))
    first, behind = mailbox.wait_events(2, 60)
    assert [file.get("text") for file in first.value["files"]] == [None]
    assert behind.value["subject"] == "behind"
    assert any(line["event"] == "mail.file_unread" and line["why"] == "time" for line in desk.log("mailpoller-1"))
    mailbox.remove()


test_a_program_that_hangs.deadline_s = 120
