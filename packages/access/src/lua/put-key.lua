-- Stores a new key.
-- KEYS[1] records    hash of all keys, no TTL
-- KEYS[2] trail      stream of changes, no TTL
-- ARGV[1] by         whose change it is, for the trail; '' for none
-- ARGV[2] id         of the new key
-- ARGV[3] record     JSON; createdAt is set here
-- ARGV[4] pepper     mark of the pepper its digest was made with
-- ARGV[5] max_fields most fields the hash may hold
-- ARGV[...] forgotten ids of keys that ended long ago, removed
-- Replies the record as stored, or 'full', or 'secret_changed', which changes nothing at all.
local records, trail, by, id = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local record = cjson.decode(ARGV[3])
local pepper, max_fields = ARGV[4], tonumber(ARGV[5])

local known_pepper = redis.call('HGET', records, '@pepper')
if known_pepper and known_pepper ~= pepper then return 'secret_changed' end
for i = 6, #ARGV do redis.call('HDEL', records, ARGV[i], '@used:' .. ARGV[i]) end
if redis.call('HLEN', records) >= max_fields then return 'full' end

local time = redis.call('TIME')
record.createdAt = time[1] * 1000 + math.floor(time[2] / 1000)
local text = cjson.encode(record)
redis.call('HSET', records, id, text, '@pepper', pepper, '@version', time[1] .. '.' .. time[2] .. '.' .. id)
tell(trail, by, 'key.create', id, nil, text)
return text
