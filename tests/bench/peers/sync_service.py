"""The first peer of bench E2: the service that one writes first. FastAPI with SQLAlchemy's session of
the request (default pool), and the model called inside the webhook.

Environment: DATABASE_URL, PUBLIC_URL, MODEL_URL, TWILIO_URL. uvicorn sync_service:app
"""

import base64
import hashlib
import hmac
import json
import os
from urllib.parse import parse_qsl

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from sqlalchemy import ForeignKey, String, Text, create_engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

engine = create_engine(os.environ["DATABASE_URL"])
SessionLocal = sessionmaker(engine)
http = httpx.Client(timeout=30, limits=httpx.Limits(max_connections=200))
app = FastAPI()


class Base(DeclarativeBase):
    pass


class Tenant(Base):
    __tablename__ = "tenants"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    account_sid: Mapped[str] = mapped_column(String(40))
    auth_token: Mapped[str] = mapped_column(String(80))
    prompt: Mapped[str] = mapped_column(Text)


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), index=True)
    phone: Mapped[str] = mapped_column(String(20), index=True)


class Message(Base):
    __tablename__ = "messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    role: Mapped[str] = mapped_column(String(10))
    body: Mapped[str] = mapped_column(Text)
    sid: Mapped[str | None] = mapped_column(String(40), unique=True)


Base.metadata.create_all(engine)


def get_db():
    with SessionLocal() as db:
        yield db


async def form_of(request: Request):
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))


def check_signature(request, form, token):
    text = os.environ["PUBLIC_URL"] + request.url.path + "".join(
        key + form[key] for key in sorted(form))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    if not hmac.compare_digest(base64.b64encode(digest).decode(),
                               request.headers.get("X-Twilio-Signature", "")):
        raise HTTPException(403)


def ask_model(messages):
    words = []
    body = {"model": "gpt-4o-mini", "stream": True, "messages": messages}
    with http.stream("POST", os.environ["MODEL_URL"] + "/chat/completions", json=body) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                choices = json.loads(line[6:])["choices"]
                words.append(choices[0]["delta"].get("content") or "" if choices else "")
    return "".join(words)


@app.post("/twilio/sms")
def inbound(request: Request, form: dict = Depends(form_of), db: Session = Depends(get_db)):
    tenant = db.scalar(select(Tenant).where(Tenant.number == form["To"]))
    if tenant is None:
        raise HTTPException(404)
    check_signature(request, form, tenant.auth_token)
    customer = db.scalar(select(Customer).where(Customer.tenant_id == tenant.id,
                                                Customer.phone == form["From"]))
    if customer is None:
        customer = Customer(tenant_id=tenant.id, phone=form["From"])
        db.add(customer)
        db.flush()
    db.add(Message(customer_id=customer.id, role="user", body=form["Body"], sid=form["MessageSid"]))
    try:
        db.commit()
    except IntegrityError:
        return Response("<Response/>", media_type="text/xml")  # Twilio repeated itself
    past = db.scalars(select(Message).where(Message.customer_id == customer.id)
                      .order_by(Message.id.desc()).limit(40)).all()
    reply = ask_model([{"role": "system", "content": tenant.prompt}]
                      + [{"role": m.role, "content": m.body} for m in reversed(past)])
    db.add(Message(customer_id=customer.id, role="assistant", body=reply))
    db.commit()
    http.post(f"{os.environ['TWILIO_URL']}/2010-04-01/Accounts/{tenant.account_sid}/Messages.json",
              data={"From": form["To"], "To": form["From"], "Body": reply},
              auth=(tenant.account_sid, tenant.auth_token)).raise_for_status()
    return Response("<Response/>", media_type="text/xml")
