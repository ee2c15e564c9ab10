-- restore: rows that wait but have no place get it back, in the old order. Presence is not touched.
-- KEYS    the line's keys, see LineKeys
-- ARGV    score, id, score, id, ... (at most 1,000 pairs)
-- Return  the ids that got a place
local line, held, claims, version, wake = KEYS[1], KEYS[2], KEYS[6], KEYS[7], KEYS[8]
local taken = {}
for _, claim in ipairs(redis.call('HVALS', claims)) do
  taken[string.match(claim, '^[^:]+')] = true
end
local placed = {}
for i = 1, #ARGV, 2 do
  local id = ARGV[i + 1]
  if not taken[id] and not redis.call('ZSCORE', held, id) and redis.call('ZADD', line, 'NX', ARGV[i], id) == 1 then
    placed[#placed + 1] = id
  end
end
if #placed > 0 then
  redis.call('INCR', version)
  redis.call('RPUSH', wake, unpack(placed))
  redis.call('LTRIM', wake, -64, -1)
end
return placed
