// DuckDB as a process that is asked by lines: duck.mjs DATABASE THREADS MEMORY. Each line of standard input is a statement as a
// JSON string; each line of standard output is {"seconds", "rows"} or {"error"}, rows as texts.
import { createInterface } from "node:readline";
import { DuckDBInstance } from "@duckdb/node-api";

const [, , database, threads, memory] = process.argv;
const instance = await DuckDBInstance.create(database, { threads, memory_limit: memory });
const connection = await instance.connect();

for await (const line of createInterface({ input: process.stdin })) {
    const began = process.hrtime.bigint();
    try {
        const reader = await connection.runAndReadAll(JSON.parse(line));
        const seconds = Number(process.hrtime.bigint() - began) / 1e9;
        console.log(JSON.stringify({ seconds, rows: reader.getRowsJson() }));
    } catch (failure) {
        console.log(JSON.stringify({ error: String(failure) }));
    }
}
connection.closeSync();
instance.closeSync();
