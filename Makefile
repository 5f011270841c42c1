# The front desk: what people type. The build itself is in meson.build, the work is done by tool/ and by programs.

.DEFAULT_GOAL := help
.PHONY: help run build test bench check format sim proof fuzz console clean

# Where make run listens, and how much of the machine it takes.
DATA   ?= data
SQL    ?= 127.0.0.1:5432
HTTPS  ?= 127.0.0.1:8443
CORES  ?= $(shell nproc)
MEMORY ?= 1GB

# The simulator's seed; those of make proof, and its rounds of kill -9; how long to fuzz each target.
SEED    ?= 1
SEEDS   ?= 1..170
ROUNDS  ?= 200
SECONDS ?= 60

help:
	@echo "make run         build synodd and start one node on $(DATA)/ (DATA= SQL= HTTPS= CORES= MEMORY=)"
	@echo "make test        everything a change must pass: builds, tests, sanitizers, checks; ends with counts"
	@echo "make check       format, layers, headers compile alone, forbidden symbols, words"
	@echo "make format      format every C file"
	@echo "make bench       the micro benchmarks, the engine and SQL beside their peers"
	@echo "make sim SEED=1  one run of the simulator"
	@echo "make proof       the engine's long proofs: all mutations, SEEDS=1..170 of every workload, ROUNDS=200 of kill -9 (hours)"
	@echo "make fuzz        the fuzz targets, SECONDS=60 each (clang)"
	@echo "make console     build the web console anew (npm); what was built is committed"
	@echo "make clean       remove everything that was built; data/ stays"

run:
	@tool/install build
	@tool/run $(DATA) $(SQL) $(HTTPS) $(CORES) $(MEMORY)

build:
	@tool/install build
	@tool/build build

test:
	@tool/test

check:
	@tool/install build test check
	@tool/check

format:
	@tool/install check
	@tool/check-format --fix

bench:
	@tool/install build test bench
	@tool/bench

sim:
	@tool/install build test
	@tool/build build
	@build/test/sim/sim --seed $(SEED)

proof:
	@tool/install build test
	@tool/build build
	@tool/proof $(SEEDS) $(ROUNDS)

fuzz:
	@tool/install build test check
	@tool/fuzz $(SECONDS)

console:
	@tool/console

clean:
	rm -rf build build-test build-clang build-tsan build-fuzz
