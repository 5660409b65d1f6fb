# The figures of the README, and trying the image out.

.PHONY: bench run

bench:
	@scripts/setup.sh bench
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@scripts/bench

run:
	@scripts/setup.sh run
	@$(MAKE) --no-print-directory -j$$(nproc) all guest
	@scripts/run
