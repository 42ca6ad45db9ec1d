-- Stores the first key of an installation, once, however many processes start together.
-- KEYS[1] records    hash of all keys, no TTL
-- KEYS[2] trail      stream of changes, no TTL
-- ARGV[1] by         whose change it is, for the trail; '' for none
-- ARGV[2] id         of the key
-- ARGV[3] record     JSON; createdAt is set here. Its origin says which rule holds:
--                    first: stored when there is no key at all
--                    environment: stored when unknown; the environment's former key is revoked
-- ARGV[4] pepper     mark of the pepper its digest was made with
-- Replies 'created', 'present' or 'secret_changed'. Nothing is changed by the last two.
local records, trail, by, id = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local record = cjson.decode(ARGV[3])
local pepper = ARGV[4]

local known_pepper = redis.call('HGET', records, '@pepper')
if known_pepper and known_pepper ~= pepper then return 'secret_changed' end
if record.origin == 'first' and redis.call('HLEN', records) > 0 then return 'present' end
if redis.call('HEXISTS', records, id) == 1 then return 'present' end

local time = redis.call('TIME')
record.createdAt = time[1] * 1000 + math.floor(time[2] / 1000)
if record.origin == 'environment' then
  local former_id = redis.call('HGET', records, '@environment')
  local former_text = former_id and redis.call('HGET', records, former_id)
  if former_text then
    local former = cjson.decode(former_text)
    if former.revokedAt == cjson.null then
      former.revokedAt = record.createdAt
      former.version = (former.version or 1) + 1
      redis.call('HSET', records, former_id, cjson.encode(former))
      tell(trail, by, 'key.revoke', former_id, former_text, cjson.encode(former))
    end
  end
  redis.call('HSET', records, '@environment', id)
end
local text = cjson.encode(record)
redis.call('HSET', records, id, text, '@pepper', pepper)
tell(trail, by, 'key.create', id, nil, text)
redis.call('HSET', records, '@version', time[1] .. '.' .. time[2] .. '.' .. id)
return 'created'
