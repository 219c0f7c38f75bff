-- Apply how the subscription that drives an account stands at Stripe (R4), or let one drive it.
-- ARGV[5] the mark under which `subscription:<account>` was owed as Stripe was asked
-- ARGV[6] '1': let it drive the account from now on
-- ARGV[7] subscription   ARGV[8] its status   ARGV[9] anchor, ms   ARGV[10] interval
-- ARGV[11] and [12] start and end of its period, ms; the end is '' when no period follows
-- ARGV[13] allotment of this period   ARGV[14] of the next   ARGV[15] '1': entitled by its status
-- ARGV[16] detail of the entry of its being linked
-- ARGV[17] end of the period by its anchor that contains now, ms
-- Replies {'unknown_account' | 'superseded' | 'set'}
--   'superseded': nothing was changed. There were news since Stripe was asked, or another
--   subscription, or none, drives the account
-- Writes the account and its profile, up to three entries; owes the turn of the cycle, or that the
-- balance is low; strikes the task off. It stays owed when this links the subscription: the claim on
-- it is still to be confirmed, and whoever does this may die before.

local TASK, STATUS, START, GRANTED = 'subscription:' .. ID, ARGV[8], ARGV[11], ARGV[13]
local account = read_account()
if not account then
  strike(TASK)
  return { 'unknown_account' }
end
local driver = redis.call('HGET', PROFILE, 'subscription')
local linking = not driver and ARGV[6] == '1'
local mark = string.match(redis.call('HGET', TRIES, TASK) or '', '%d+$')
if mark ~= ARGV[5] or (driver ~= ARGV[7] and not linking) then return { 'superseded' } end
if linking then
  append(account, 'account_changed', 0, 0, ID, 'subscription_linked', '', ARGV[16])
end

-- What was withheld comes back, and what is entitled to beyond that is granted, in one period. But
-- what is past due keeps what it has: a rise that nobody has paid for waits for the money.
local function grant(granted_before, withheld)
  redis.call('HDEL', ACCOUNT, 'withheld')
  if withheld > 0 then
    apply(account, withheld, 0)
    append(account, 'allotment_restored', withheld, 0, ARGV[7], STATUS)
    forget_warnings(account)
  end
  local rise = tonumber(GRANTED) - granted_before
  if rise > 0 and (linking or STATUS ~= 'past_due') then
    raise_allotment(account, rise, GRANTED, START)
  end
end

-- The field is there, if only with 0, while nothing is entitled to: calls that end meanwhile give
-- their credit back to it.
local function withhold()
  local left, balance_before = account.allotment, account.balance
  redis.call('HINCRBY', ACCOUNT, 'withheld', left)
  if left == 0 then return end
  apply(account, -left, 0)
  append(account, 'allotment_withheld', -left, 0, ARGV[7], STATUS)
  warn_if_low(account, balance_before)
end

local f = redis.call('HMGET', ACCOUNT, 'cycle_start_ms', 'cycle_granted', 'withheld',
  'cycle_end_ms')
local entitled, ahead_ms = ARGV[15] == '1', tonumber(START) - tonumber(f[1])
-- Stripe's period is the account's own if it has not ended as that begins: Stripe may have begun a
-- new one just before the account turned the old.
local is_current = ahead_ms == 0 or linking
  or (ahead_ms < 0 and ARGV[12] ~= '' and tonumber(ARGV[12]) > tonumber(f[1]))
redis.call('HSET', PROFILE, 'subscription', ARGV[7], 'subscription_status', STATUS,
  'anchor_ms', ARGV[9], 'interval', ARGV[10])
redis.call('HSET', ACCOUNT, 'allotment_size', ARGV[14])
if ahead_ms > 0 then
  begin_period(account, GRANTED, START, f[1])
elseif is_current then
  -- A start is never taken back: what began then has been granted.
  if not f[4] then redis.call('HSET', ACCOUNT, 'cycle_start_ms', START) end
  if entitled then grant(tonumber(f[2]), tonumber(f[3] or 0)) end
end
if not entitled then withhold() end
if ARGV[12] == '' and redis.call('HEXISTS', ACCOUNT, 'cap_minor') == 0 then
  redis.call('HDEL', ACCOUNT, 'cycle_end_ms')
  strike('cycle:' .. ID)
elseif ARGV[12] == '' then -- a spending cap counts by periods: they go on, by the anchor
  if ahead_ms > 0 then end_cycle_at(ARGV[17]) end
elseif ahead_ms > 0 or is_current then -- else Stripe has yet to turn the period that began here
  end_cycle_at(ARGV[12])
end
if not linking then strike(TASK) end
return { 'set' }
