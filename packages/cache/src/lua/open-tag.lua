-- Reads a tag's generation, or begins one; either way it lives at least as long as the entry that will bear it.
-- KEYS[1] tag          string
-- ARGV[1] candidate    generation to begin with when there is none
-- ARGV[2] ttl          milliseconds the entry may live
-- Reply: the generation.
local tag, candidate, ttl = KEYS[1], ARGV[1], tonumber(ARGV[2])

local generation = redis.call('GET', tag)
if not generation then
  redis.call('SET', tag, candidate, 'PX', ttl)
  return candidate
end
if redis.call('PTTL', tag) < ttl then redis.call('PEXPIRE', tag, ttl) end
return generation
