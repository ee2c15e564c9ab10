-- restore: rows that wait but have no place get it back, in the old order. Presence is not touched.
-- ARGV    score, id, score, id, ... (at most 1,000 pairs)
-- Return  the ids that got a place
local claimed, placed = claimed_ids(), {}
for i = 1, #ARGV, 2 do
  local id = ARGV[i + 1]
  if not has_place(id, claimed) then
    redis.call('ZADD', line, ARGV[i], id)
    redis.call('ZREM', reserved, id)
    placed[#placed + 1] = id
  end
end
if #placed > 0 then
  numbers_changed()
  wake_workers(placed)
end
return placed
