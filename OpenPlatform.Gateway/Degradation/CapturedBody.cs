using Microsoft.AspNetCore.Http.Features;
using OpenPlatform.Gateway.Context;

namespace OpenPlatform.Gateway.Degradation;

/// <summary>Takes a copy of what passes to the client, up to <paramref name="max"/> bytes.</summary>
internal sealed class CapturedBody(IHttpResponseBodyFeature inner, CachedAnswer answer, int max) : ObservedBody(inner)
{
    private readonly MemoryStream _copy = new();
    private bool _tooLarge;

    /// <summary>What was captured, to be kept; null when it was larger than allowed.</summary>
    public CachedAnswer? Answer => _tooLarge ? null : answer with { Body = _copy.ToArray() };

    public override Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default)
    {
        _tooLarge = true; // it does not pass here
        return base.SendFileAsync(path, offset, count, cancellationToken);
    }

    protected override void Passing(ReadOnlySpan<byte> bytes)
    {
        if (_tooLarge || _copy.Length + bytes.Length > max)
        {
            _tooLarge = true;
            _copy.SetLength(0);
            return;
        }

        _copy.Write(bytes);
    }
}
