using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using OpenPlatform.Catalog.Problems;
using OpenPlatform.Catalog.Security;
using OpenPlatform.Catalog.Storage;

namespace OpenPlatform.Catalog.Idempotency;

/// <summary>
/// A POST of the admin API that carries an <c>Idempotency-Key</c> is done once: repeated, it gets the answer of the first time. What
/// failed was not done, so its key is free again.
/// </summary>
internal sealed class IdempotencyMiddleware(RequestDelegate next, IdempotencyStore store, StorageState storage, IOptions<CatalogOptions> options)
{
    public const string Header = "Idempotency-Key";
    public const int MaxKeyLength = 255;

    public Task InvokeAsync(HttpContext context) =>
        HttpMethods.IsPost(context.Request.Method) && context.Request.Headers[Header] is { Count: > 0 } keys && Caller.Of(context) is { Roles.Count: > 0 } caller && storage.IsReady
            ? InvokeAsync(context, caller, keys)
            : next(context);

    private async Task InvokeAsync(HttpContext context, Caller caller, StringValues keys)
    {
        if (keys is not [{ Length: > 0 and <= MaxKeyLength } key] || key.Any(static c => c is < '!' or > '~'))
        {
            await CatalogProblem.Malformed($"{Header} must be one value of 1 to {MaxKeyLength} visible ASCII characters.").ExecuteAsync(context);
            return;
        }

        var sha256 = await HashAsync(context.Request);
        // Of a body that may hold a password: without the pepper, whoever reads the table could try passwords as fast as SHA-256 goes.
        var run = new IdempotentRun(caller.Actor, key, HMACSHA256.HashData(options.Value.KeyPepperBytes, sha256), Guid.CreateVersion7());
        if (await store.TakeAsync(run, context.RequestAborted) is { } kept)
        {
            // Replicas of the version before keep it without.
            var isSame = kept.RequestSha256.AsSpan().SequenceEqual(run.RequestSha256) || kept.RequestSha256.AsSpan().SequenceEqual(sha256);
            await RepeatAsync(context, run, kept, isSame);
            return;
        }

        await RunAsync(context, run);
    }

    private async Task RepeatAsync(HttpContext context, IdempotentRun run, KeptAnswer kept, bool isSame)
    {
        var answer = kept.Answer is null ? null : IdempotentAnswer.Open(options.Value.KeyPepperBytes, run, kept.Answer);
        if (kept.Answer is not null && answer is null)
        {
            // The pepper was changed since, so nobody can tell what was asked either. It was done, and must not be done again.
            await CatalogProblem.AnswerLost().ExecuteAsync(context);
        }
        else if (!isSame)
        {
            await CatalogProblem.IdempotencyKeyReused().ExecuteAsync(context);
        }
        else if (answer is null)
        {
            await CatalogProblem.StillRunning().ExecuteAsync(context);
        }
        else
        {
            await answer.WriteAsync(context);
        }
    }

    private async Task RunAsync(HttpContext context, IdempotentRun run)
    {
        context.Features.Set(run);
        var body = context.Response.Body;
        using var written = new MemoryStream();
        context.Response.Body = written;
        try
        {
            await next(context);
        }
        catch
        {
            context.Response.Body = body;
            await store.GiveBackAsync(run);
            throw;
        }

        context.Response.Body = body;
        var response = context.Response;
        if (response.StatusCode is >= 200 and < 300)
        {
            var sent = new IdempotentAnswer(response.StatusCode, response.ContentType, response.Headers.ETag, response.Headers.Location, written.ToArray());
            if (context.Features.Get<IdempotentAnswer>()?.IsLike(sent) != true)
            {
                await store.KeepAsync(run, sent.Seal(options.Value.KeyPepperBytes, run));
            }
        }
        else
        {
            await store.GiveBackAsync(run);
        }

        written.Position = 0;
        await written.CopyToAsync(body, context.RequestAborted);
    }

    private static async Task<byte[]> HashAsync(HttpRequest request)
    {
        request.EnableBuffering();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{request.Method} {request.Path}{request.QueryString}\n"));
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await request.Body.ReadAsync(buffer, request.HttpContext.RequestAborted)) > 0)
        {
            hash.AppendData(buffer, 0, read);
        }

        request.Body.Position = 0;
        return hash.GetHashAndReset();
    }
}

internal static class IdempotencyServices
{
    public static IServiceCollection AddIdempotency(this IServiceCollection services) => services
        .AddSingleton<IdempotencyStore>()
        .AddSingleton<IdempotentRequests>();

    /// <summary>After authorization: a key belongs to its caller.</summary>
    public static IApplicationBuilder UseIdempotency(this IApplicationBuilder app, PathString prefix) =>
        app.UseWhen(context => context.Request.Path.StartsWithSegments(prefix), static admin => admin.UseMiddleware<IdempotencyMiddleware>());
}
