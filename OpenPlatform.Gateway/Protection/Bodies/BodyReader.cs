using System.Buffers;
using OpenPlatform.Gateway.Refusals;

namespace OpenPlatform.Gateway.Protection.Bodies;

/// <summary>Reads a body whole, up to a bound, and puts what was read in its place: later steps read it again, from memory.</summary>
internal static class BodyReader
{
    private const int FirstBuffer = 16 << 10;

    /// <summary>The body; or an empty one and the reason why it is not to be had.</summary>
    public static async ValueTask<(Refusal Refusal, ReadOnlyMemory<byte> Body)> ReadAsync(HttpContext context, int limit)
    {
        var announced = context.Request.ContentLength;
        if (announced > limit)
        {
            return (Refusal.CheckedBodyTooLarge, default);
        }

        // One byte more than announced: the read that fills it would be too long, the one that leaves it empty is the end.
        var buffer = ArrayPool<byte>.Shared.Rent((int)(announced ?? FirstBuffer) + 1);
        try
        {
            var length = 0;
            while (await context.Request.Body.ReadAsync(buffer.AsMemory(length), context.RequestAborted) is > 0 and var read)
            {
                length += read;
                if (length > limit)
                {
                    return (Refusal.CheckedBodyTooLarge, default);
                }

                if (length == buffer.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent(length * 2);
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }

            // Not of the pool: the forwarder may still read it when this request has been given up.
            var body = buffer.AsSpan(0, length).ToArray();
            context.Request.Body = new MemoryStream(body, writable: false);
            return (Refusal.None, body);
        }
        catch (BadHttpRequestException e)
        {
            return (e.StatusCode switch
            {
                StatusCodes.Status413PayloadTooLarge => Refusal.RequestBodyTooLarge,
                StatusCodes.Status408RequestTimeout => Refusal.RequestBodyTimeout,
                _ => Refusal.BadRequestBody,
            }, default);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            return (Refusal.BadRequestBody, default); // the client is gone; nobody will read this
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
