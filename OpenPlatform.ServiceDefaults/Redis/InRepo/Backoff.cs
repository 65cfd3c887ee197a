namespace OpenPlatform.ServiceDefaults.Redis.InRepo;

/// <summary>
/// Waits between attempts to connect: 50 ms, doubling up to 1 s, each shortened by a random part of up to half so that many
/// services do not come back in step. A second at most, because a loopback connect costs nothing and the recovery is felt.
/// </summary>
internal struct Backoff
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    private TimeSpan _next;

    public TimeSpan Next()
    {
        var wait = _next == default ? First : _next;
        _next = wait * 2 < Longest ? wait * 2 : Longest;
        return wait * (1 - (Random.Shared.NextDouble() / 2));
    }
}
