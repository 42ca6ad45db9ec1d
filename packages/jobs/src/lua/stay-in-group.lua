-- Tells that attempts of a group still run.
-- KEYS[1] running     zset of the group's attempts, by the time each is taken for dead
-- ARGV[1] hold_ms     after which an attempt that is not renewed is taken for dead
-- ARGV[...] attempts  names of attempts, at most 1,000; one that was taken for dead stays so
-- Replies nothing.
local running, hold_ms = KEYS[1], tonumber(ARGV[1])
local time = redis.call('TIME')
local until_ms = time[1] * 1000 + math.floor(time[2] / 1000) + hold_ms

for i = 2, #ARGV do redis.call('ZADD', running, 'XX', until_ms, ARGV[i]) end
redis.call('PEXPIRE', running, hold_ms)
