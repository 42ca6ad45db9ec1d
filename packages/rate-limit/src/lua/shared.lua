-- What every algorithm shares. All times are milliseconds.
-- A state is two values, x and y, so that deciding makes no garbage. An algorithm has
--   load(raw, rule, now, key)              x and y at this time, from what Redis holds, after its first double (nil: nothing)
--   retry(x, y, rule, now, cost)           ms until this cost fits: 0 it fits, -1 it never will
--   figures(x, y, rule, now)               units left (below 0 in debt), ms until one more, ms until all
--   add(x, y, rule, now, cost, lease)      x and y after a charge
--   give_back(x, y, rule, now, cost, from) x and y without it
--   dump(x, y, rule, now)                  what Redis is to hold, and for how many ms it matters (0: not at all)
-- Numbers are held as doubles: as text they would cost half of the decision.
local call, format, pack, unpack_from = redis.call, string.format, struct.pack, struct.unpack
local ceil, floor, max, min, tonumber = math.ceil, math.floor, math.max, math.min, tonumber

-- Redis judges TTLs by a clock a millisecond off TIME's: a state goes a second after it has ceased to matter.
local TTL_SLACK_MS = 1000
-- How much longer than needed a state is kept, so that charges in quick succession need no new TTL: as long again,
-- within these bounds.
local MIN_TTL_SPARE_MS, MAX_TTL_SPARE_MS = 5000, 60000
-- The last whole number a double holds exactly; no debt grows beyond it.
local MAX_COUNT = 9007199254740991
