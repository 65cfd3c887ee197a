using OpenPlatform.Gateway.Degradation;
using OpenPlatform.Gateway.Forwarding;
using OpenPlatform.Gateway.Overload;
using OpenPlatform.Gateway.Refusals;
using OpenPlatform.Gateway.Resilience;

namespace OpenPlatform.Gateway.Context;

/// <summary>What the forward step and the transformer, which the forwarder calls, tell each other.</summary>
internal sealed partial class GatewayRequest
{
    /// <summary>The request may have content.</summary>
    public bool HasBody { get; set; }

    /// <summary>A second try would do no harm, whatever became of the first.</summary>
    public bool MayRepeat { get; set; }

    /// <summary>The same, now that so much of the body was read.</summary>
    public bool MayRepeatNow => MayRepeat && Replay is not { CanReplay: false };

    /// <summary>The body, where it is kept for another try.</summary>
    public ReplayBody? Replay { get; set; }

    /// <summary>The body, where it is passed on as it comes and the wait for the answer is limited; what guards <see cref="Deadline"/> then, because the
    /// body is read beside the answer.</summary>
    public StreamedBody? Streamed { get; set; }

    /// <summary>The clock of this try.</summary>
    public Deadline? Deadline { get; set; }

    /// <summary>Ends this try when its instance turns out to be frozen.</summary>
    public CancellationTokenRegistration Watch { get; set; }

    /// <summary>This try was ended because its instance is frozen.</summary>
    public bool Abandoned { get; set; }

    /// <summary>What the last try failed by.</summary>
    public Exception? ForwardFailure { get; set; }

    public TimeProvider Clock { get; set; } = TimeProvider.System;

    /// <summary>When the head of the answer came, a timestamp of <see cref="Clock"/>; 0: it has not.</summary>
    public long HeadAt { get; set; }

    /// <summary>An answer that says the instance failed may be thrown away: there is another instance.</summary>
    public bool MayDiscard { get; set; }

    /// <summary>The answer of this try was thrown away.</summary>
    public bool Discarded { get; set; }

    /// <summary>The status of the last answer, thrown away or not; 0: there was none.</summary>
    public int BackendStatus { get; set; }

    /// <summary>The place in front of the backend, until the head of the answer.</summary>
    public OverloadGate.Pass Place { get; set; }

    /// <summary>What stands in for the backend's answer, or null: nothing does.</summary>
    public string? Degraded { get; set; }

    /// <summary>Set by the cache step when a kept answer may stand in for a server error of the backend.</summary>
    public CachedAnswer? StandIn { get; set; }

    /// <summary>The server error that a kept answer stands in for; 0: none does.</summary>
    public int ReplacedStatus { get; set; }

    /// <summary>Why the alternate backend was asked.</summary>
    public Refusal DegradedBecause { get; set; }

    /// <summary>The copy of the answer that is being taken for the cache.</summary>
    public CapturedBody? Captured { get; set; }

    /// <summary>True when this status is reason to try another instance, and the budget has a try left: then it is thrown away.</summary>
    public bool Discards(int status)
    {
        BackendStatus = status;
        return Discarded = MayDiscard && Operation.Forward.IsRetryStatus(status) && MayRepeatNow && Backend.Retries.TrySpend();
    }

    /// <summary>True when a kept answer is better than this status (RFC 5861, 4): then it is thrown away.</summary>
    public bool GivesWay(int status)
    {
        if (StandIn is null || status is not (500 or 502 or 503 or 504))
        {
            return false;
        }

        ReplacedStatus = status;
        return Discarded = true;
    }

    /// <summary>The head of the answer is here, and it is the client's.</summary>
    /// <returns>False: its time was over, the client is not to see the beginning of what will not go on.</returns>
    public bool TryAnswer()
    {
        if (Streamed is { } streamed)
        {
            lock (streamed)
            {
                if (Deadline is { } deadline && !deadline.TryAnswer())
                {
                    return false;
                }

                HeadAt = Clock.GetTimestamp();
            }
        }
        else
        {
            if (Deadline is { } deadline && !deadline.TryAnswer())
            {
                return false;
            }

            HeadAt = Clock.GetTimestamp();
        }

        AnsweredByBackend = true;
        Watch.Unregister(); // it lives
        LeaveOverload(sample: !HasBody);
        return true;
    }

    /// <summary>The whole of a streamed body was read: now it is the backend's turn.</summary>
    public void BodyEnded()
    {
        lock (Streamed!)
        {
            if (HeadAt == 0)
            {
                Deadline?.Await(Operation.Forward.FirstByte);
            }
        }
    }

    /// <summary>The try is over, and with it its clock.</summary>
    public void EndDeadline()
    {
        if (Streamed is { } streamed)
        {
            lock (streamed)
            {
                Deadline?.Return();
                Deadline = null;
            }
        }
        else
        {
            Deadline?.Return();
            Deadline = null;
        }
    }

    /// <summary>The instance is frozen: what it has not begun to answer, and somebody else can, is taken from it.</summary>
    public void Abandon()
    {
        if (HeadAt == 0 && MayRepeatNow)
        {
            Abandoned = true;
            Deadline?.Cancel();
        }
    }

    /// <summary>Gives the place in front of the backend back, once.</summary>
    public void LeaveOverload(bool sample)
    {
        Place.Leave(sample);
        Place = default;
    }
}
