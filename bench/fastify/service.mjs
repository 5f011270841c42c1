// A service as applications write it: fastify in front of PostgreSQL by pg, TLS, HTTP/1.1 and HTTP/2.
//
//     node service.mjs PORT PROCESSES KEY.pem CERTIFICATE.pem TOKEN      (where PostgreSQL is, libpq's variables say)
//
// POST /v1/statements {"sql", "params"} -> {"columns", "rows", "row_count"}: what Synod answers to the same body. Each text is
// prepared once a connection, as pg does with named statements. One process for each core, as node's own cluster runs them.
import cluster from "node:cluster";
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import Fastify from "fastify";
import pg from "pg";

const [, , port, processes, key, certificate, token] = process.argv;
const CONNECTIONS = 32; // of all processes: PostgreSQL is fastest with some dozen, not with one for each client

const body = {
    type: "object",
    required: ["sql"],
    additionalProperties: false,
    properties: { sql: { type: "string" }, params: { type: "array", maxItems: 65535 } },
};
const reply = {
    200: {
        type: "object",
        properties: {
            columns: { type: "array", items: { type: "object", properties: { name: { type: "string" }, oid: { type: "integer" } } } },
            rows: { type: "array", items: { type: "array" } },
            row_count: { type: "integer" },
        },
    },
};

function isToken(header) {
    const given = Buffer.from(header ?? ""), wanted = Buffer.from(`Bearer ${token}`);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
}

async function serve() {
    const pool = new pg.Pool({ max: Math.ceil(CONNECTIONS / processes), ssl: false });
    const names = new Map();
    const service = Fastify({ http2: true, https: { allowHTTP1: true, key: readFileSync(key), cert: readFileSync(certificate) } });
    service.post("/v1/statements", { schema: { body, response: reply } }, async (request, answer) => {
        if (!isToken(request.headers.authorization)) {
            answer.code(401);
            return {};
        }
        const { sql, params } = request.body;
        if (!names.has(sql))
            names.set(sql, createHash("sha256").update(sql).digest("hex").slice(0, 32));
        const done = await pool.query({ name: names.get(sql), text: sql, values: params, rowMode: "array" });
        return { columns: done.fields.map((field) => ({ name: field.name, oid: field.dataTypeID })), rows: done.rows, row_count: done.rowCount };
    });
    await service.listen({ port: Number(port), host: "127.0.0.1" });
}

if (cluster.isPrimary && Number(processes) > 1)
    for (let i = 0; i < Number(processes); i++) cluster.fork();
else await serve();
