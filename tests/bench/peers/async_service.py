"""The second peer of bench E2: the same service by somebody who knows asyncio. asyncpg without an
ORM, no connection held while the model works, one HTTP client with kept connections.

Environment: DATABASE_URL, PUBLIC_URL, MODEL_URL, TWILIO_URL. uvicorn async_service:app
"""

import base64
import hashlib
import hmac
import json
import os
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

import aiohttp
import asyncpg
from fastapi import FastAPI, HTTPException, Request, Response

TABLES = """
CREATE TABLE IF NOT EXISTS tenants (id serial PRIMARY KEY, number text UNIQUE NOT NULL,
    account_sid text NOT NULL, auth_token text NOT NULL, prompt text NOT NULL);
CREATE TABLE IF NOT EXISTS customers (id serial PRIMARY KEY, tenant_id integer NOT NULL
    REFERENCES tenants, phone text NOT NULL, UNIQUE (tenant_id, phone));
CREATE TABLE IF NOT EXISTS messages (id serial PRIMARY KEY, customer_id integer NOT NULL
    REFERENCES customers, role text NOT NULL, body text NOT NULL, sid text UNIQUE);
CREATE INDEX IF NOT EXISTS messages_customer ON messages (customer_id, id DESC)"""
EMPTY = Response("<Response/>", media_type="text/xml")


@asynccontextmanager
async def lifespan(app):
    connector = aiohttp.TCPConnector(limit=0)
    async with (asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=20) as pool,
                aiohttp.ClientSession(connector=connector, raise_for_status=True,
                                      timeout=aiohttp.ClientTimeout(total=30)) as http):
        await pool.execute(TABLES)
        app.state.pool, app.state.http = pool, http
        yield


app = FastAPI(lifespan=lifespan)


def check_signature(request, form, token):
    text = os.environ["PUBLIC_URL"] + request.url.path + "".join(
        key + form[key] for key in sorted(form))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    if not hmac.compare_digest(base64.b64encode(digest).decode(),
                               request.headers.get("X-Twilio-Signature", "")):
        raise HTTPException(403)


async def remember(request, form):
    """(tenant, customer's id, what was said so far); None when Twilio repeated itself."""
    async with app.state.pool.acquire() as db, db.transaction():
        tenant = await db.fetchrow("SELECT * FROM tenants WHERE number = $1", form["To"])
        if tenant is None:
            raise HTTPException(404)
        check_signature(request, form, tenant["auth_token"])
        customer = await db.fetchval(
            "INSERT INTO customers (tenant_id, phone) VALUES ($1, $2) ON CONFLICT (tenant_id, phone)"
            " DO UPDATE SET phone = EXCLUDED.phone RETURNING id", tenant["id"], form["From"])
        stored = await db.fetchval(
            "INSERT INTO messages (customer_id, role, body, sid) VALUES ($1, 'user', $2, $3)"
            " ON CONFLICT DO NOTHING RETURNING id", customer, form["Body"], form["MessageSid"])
        if stored is None:
            return None
        past = await db.fetch("SELECT role, body FROM messages WHERE customer_id = $1"
                              " ORDER BY id DESC LIMIT 40", customer)
    return tenant, customer, past


async def ask_model(prompt, past):
    messages = [{"role": "system", "content": prompt}]
    messages += [{"role": row["role"], "content": row["body"]} for row in reversed(past)]
    body, words = {"model": "gpt-4o-mini", "stream": True, "messages": messages}, []
    async with app.state.http.post(os.environ["MODEL_URL"] + "/chat/completions",
                                   json=body) as answer:
        async for line in answer.content:
            if line.startswith(b"data: {"):
                choices = json.loads(line[6:])["choices"]
                words.append(choices[0]["delta"].get("content") or "" if choices else "")
    return "".join(words)


@app.post("/twilio/sms")
async def inbound(request: Request):
    form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    known = await remember(request, form)
    if known is None:
        return EMPTY
    tenant, customer, past = known
    reply = await ask_model(tenant["prompt"], past)
    await app.state.pool.execute(
        "INSERT INTO messages (customer_id, role, body) VALUES ($1, 'assistant', $2)", customer,
        reply)
    account = tenant["account_sid"]
    async with app.state.http.post(
            f"{os.environ['TWILIO_URL']}/2010-04-01/Accounts/{account}/Messages.json",
            data={"From": form["To"], "To": form["From"], "Body": reply},
            auth=aiohttp.BasicAuth(account, tenant["auth_token"])):
        return EMPTY
