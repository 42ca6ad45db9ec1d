-- Says that the data in this Redis, whatever it is, is to be gone on with.
-- KEYS[1] dataset  hash {epoch, acknowledgedAt}
-- ARGV[1] epoch    of a dataset that has none
-- Replies {epoch, milliseconds of Redis' clock}.
redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1])
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[1], 'acknowledgedAt', now)
return { redis.call('HGET', KEYS[1], 'epoch'), now }
